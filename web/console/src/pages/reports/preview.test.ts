import { expect, it } from 'vitest';
import { cells } from './preview';

it('cells may hold commas, quotes and lines', () => {
  expect(cells('a,b\r\n"x, ""y""","1\n2"\r\nlast,half', 10)).toEqual([['a', 'b'], ['x, "y"', '1\n2']]);
  expect(cells('a\nb\nc\n', 2)).toEqual([['a'], ['b']]);
});
