/// Where a thing that was found is in the console.
import type { Schemas } from '../../api/client';

type Hit = Schemas['Hit'];

export function placeOf(hit: Hit): string {
  switch (hit.kind) {
    case 'identity': return `/identities/${hit.id}`;
    case 'endpoint': return `/endpoints/${hit.id}`;
    case 'session': return `/sessions/${hit.id}`;
    case 'decision': return `/decisions/${hit.id}`;
    case 'nas': return `/nas/${encodeURIComponent(hit.id)}`;
    case 'certificate': return `/certificates?serial=${encodeURIComponent(hit.id)}`;
    default: return '/';
  }
}

/// Parts of the API whose page is called otherwise.
const OTHERWISE: [RegExp, string][] = [
  [/^\/ca(\/certificates)?(?=$|\?)/, '/certificates'],
  [/^\/calendar(?=$|[/?])/, '/certificates'],
  [/^\/risk(?=$|[/?])/, '/signals'],
  [/^\/policy\/[a-z]+/, '/policy'],
];

/// Where the console shows what an operation of the API lists, such as `/api/v1/decisions?outcome=reject`.
export function placeOfApi(see: string): string {
  const path = see.replace(/^[A-Z]+ /, '').replace(/^\/api\/v1/, '') || '/';
  for (const [from, to] of OTHERWISE) if (from.test(path)) return path.replace(from, to);
  return path;
}
