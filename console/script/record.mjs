// Writes dist/BUILD.json: one hash over all sources and one for every built file. tests/server/test_page.py
// makes the same sums without node, so that a build that no longer fits its sources fails the tests.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';

const root = join(import.meta.dirname, '..');
const dist = join(root, 'dist');
const LEFT_OUT = new Set(['node_modules', 'dist']);

function filesUnder(folder, leftOut = new Set()) {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .filter((path) => !leftOut.has(path.split('/')[0]))
    .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

const digest = (bytes) => createHash('sha256').update(bytes).digest('hex');

const sources = createHash('sha256');
for (const path of filesUnder(root, LEFT_OUT)) {
  sources.update(`${path}\0${digest(readFileSync(join(root, path)))}\n`);
}
const files = Object.fromEntries(
  filesUnder(dist)
    .filter((path) => path !== 'BUILD.json')
    .map((path) => [path, digest(readFileSync(join(dist, path)))]),
);
writeFileSync(join(dist, 'BUILD.json'), `${JSON.stringify({ sources: sources.digest('hex'), files }, null, 2)}\n`);
