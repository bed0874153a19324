// The one gateway that this page shows.

import { Gateway } from '../gateway/gateway.svelte';

export const gateway = new Gateway();
