import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import type { Plugin } from 'vite';

const LICENCE_FILE = /^(licen[cs]e|copying|notice|thirdpartynotices)(\.[a-z-]+)*$/i;
const RULE = '='.repeat(80);

interface Manifest {
  name: string;
  version: string;
  license?: string;
}

/** Gathers the npm packages whose code went into a build, and writes their licences beside it. */
export class LicenceCollector {
  readonly #root: string;
  readonly #folders = new Set<string>();

  constructor(root: string) {
    this.#root = root;
  }

  /** Notes the package of each bundled module; workers are bundles of their own and need it too. */
  collect(): Plugin {
    return {
      name: 'licence-collect',
      generateBundle: (_options, bundle) => {
        for (const output of Object.values(bundle)) {
          if (output.type === 'chunk') {
            for (const id of output.moduleIds) this.#note(id);
          }
        }
      },
      // Style sheets leave no module in a chunk, so they are noted as they are loaded.
      transform: {
        filter: { id: /\.css(\?|$)/ },
        handler: (_code, id) => {
          this.#note(id);
        },
      },
    };
  }

  /** Emits the text file with all licences. */
  write(fileName: string): Plugin {
    return {
      name: 'licence-write',
      writeBundle: {
        order: 'post',
        sequential: true,
        handler: ({ dir }) => {
          writeFileSync(join(dir ?? join(this.#root, 'dist'), fileName), this.#text());
        },
      },
    };
  }

  #note(id: string): void {
    const path = id.replace(/^\0+/, '').split('?')[0] ?? '';
    const parts = path.split(/[\\/]/);
    const at = parts.lastIndexOf('node_modules');
    if (at < 0) return;
    const length = parts[at + 1]?.startsWith('@') ? 3 : 2;
    this.#folders.add(parts.slice(0, at + length).join(sep));
  }

  #text(): string {
    const sections = [...this.#folders]
      .filter((folder) => existsSync(join(folder, 'package.json')))
      .map((folder) => ({ folder, manifest: JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest }))
      .map(({ folder, manifest }) => ({ title: `${manifest.name} ${manifest.version}`, text: this.#section(folder, manifest) }))
      .sort((a, b) => (a.title < b.title ? -1 : a.title > b.title ? 1 : 0));
    const seen = new Map(sections.map(({ title, text }) => [title, text]));
    const fonts = readFileSync(join(this.#root, 'script', 'font.txt'), 'utf8');
    const head =
      'Third-party software in this build\n\nThe pages in this folder contain code and fonts of the following projects, under the licences given here.\n';
    return `${head}\n${[...seen.values(), `${RULE}\nFonts\n${RULE}\n\n${fonts.trim()}\n`].join('\n')}`;
  }

  #section(folder: string, manifest: Manifest): string {
    const files = readdirSync(folder)
      .filter((file) => LICENCE_FILE.test(file))
      .sort();
    const texts = files.map((file) => readFileSync(join(folder, file), 'utf8').replaceAll('\r\n', '\n').trim());
    if (texts.length === 0 && manifest.license === undefined) {
      throw new Error(`${relative(this.#root, folder)} states no licence`);
    }
    return `${RULE}\n${manifest.name} ${manifest.version} (${manifest.license ?? 'see below'})\n${RULE}\n\n${texts.join('\n\n') || `Licence: ${manifest.license}`}\n`;
  }
}
