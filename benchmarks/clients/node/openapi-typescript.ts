import createClient from 'openapi-fetch';
import type { paths } from './generated/api';

const client = createClient<paths>({ baseUrl: process.argv[2] });
const { data, error } = await client.GET('/v1/claims', { params: { query: { source: ['csis'], limit: 3 } } });
if (error || !data || !('meta' in data)) throw new Error(error?.detail);
console.log(data.meta.count);
