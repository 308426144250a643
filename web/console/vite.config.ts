import react from '@vitejs/plugin-react';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { defineConfig, type Plugin } from 'vite';

/// Files below this size gain nothing that is worth a second copy, in octets.
const WORTH_IT = 512;

/// Compresses what is built once, and best: the server only sends it.
function compressed(): Plugin {
  return {
    name: 'compressed',
    apply: 'build',
    closeBundle() {
      const dir = join(import.meta.dirname, 'dist/assets');
      for (const name of readdirSync(dir)) {
        const octets = readFileSync(join(dir, name));
        if (!/\.(js|css|svg|json|txt)$/.test(name) || octets.length < WORTH_IT) continue;
        const quality = { params: { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY } };
        writeFileSync(join(dir, `${name}.br`), brotliCompressSync(octets, quality));
        writeFileSync(join(dir, `${name}.gz`), gzipSync(octets, { level: 9 }));
      }
    },
  };
}

/// The server whose API is shown by `npm run dev`.
const SERVER = { target: process.env.CORDON ?? 'http://127.0.0.1:8080', changeOrigin: false };

export default defineConfig({
  plugins: [react(), compressed()],
  build: {
    target: 'es2022',
    // Those that know light-dark(): what stands in for it else knows nothing of the colours that somebody chose.
    cssTarget: ['chrome123', 'edge123', 'firefox120', 'safari17.5'],
    // A style that is a `data:` URL in a script would be one more thing that the policy has to allow.
    assetsInlineLimit: 0,
    reportCompressedSize: false,
    // What is in the binary is told with its licence.
    license: { fileName: 'assets/licences.txt' },
    chunkSizeWarningLimit: 900,
  },
  preview: { proxy: { '/api': SERVER, '/sign-in': SERVER } },
  server: {
    // `npm run dev` beside a server that runs: the API is that server's.
    proxy: { '/api': SERVER, '/sign-in': SERVER },
  },
  test: { include: ['src/**/*.test.ts', 'src/**/*.test.tsx'] },
} as Parameters<typeof defineConfig>[0]);
