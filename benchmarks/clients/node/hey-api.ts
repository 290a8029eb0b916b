import { listClaims } from './generated/hey-api';
import { createClient } from './generated/hey-api/client';

const client = createClient({ baseUrl: process.argv[2] });
const { data, error } = await listClaims({ client, query: { source: ['csis'], limit: 3 } });
if (error || !data || !('meta' in data)) throw new Error(error?.detail);
console.log(data.meta.count);
