import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';

export default defineConfig({
	plugins: [svelte()],
	build: {
		target: 'es2022',
		modulePreload: false,
		assetsInlineLimit: 0,
		reportCompressedSize: false,
	},
	server: { proxy: { '/api': process.env.METERLOOM ?? 'http://127.0.0.1:8080' } },
});
