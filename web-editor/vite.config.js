// How the page is built. `npm run dev` serves it with the data of a gateway that runs already.
import { defineConfig } from 'vite';
import { svelte } from '@sveltejs/vite-plugin-svelte';

const gateway = process.env.METERLOOM_URL ?? 'http://127.0.0.1:8080';

export default defineConfig({
	plugins: [svelte()],
	build: {
		target: ['es2022', 'chrome107', 'firefox104', 'safari16'],
		assetsInlineLimit: 0, // no data: addresses, so that the strictest policy holds
		modulePreload: { polyfill: false },
		reportCompressedSize: false,
	},
	// The gateway takes commands of its own page alone: they come as if from it.
	server: {
		proxy: {
			'/api': { target: gateway, changeOrigin: true, headers: { Origin: gateway } },
		},
	},
});
