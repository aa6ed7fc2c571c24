// The engine's builds, each made when a browser first asks for it.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const WAITING = new URL('waiting.html', import.meta.url);
const NAMES = ['relaxed-threads', 'relaxed', 'simd128-threads', 'simd128'];

export class Builds {
  #folder;
  #make;
  /** @type {Map<string, Promise<unknown>>} */
  #underWay = new Map();
  /** @type {Promise<unknown>} */
  #last = Promise.resolve();

  /**
   * @param {string} folder where they are: `pkg/dist/vitscope`
   * @param {(name: string) => Promise<unknown>} make puts one there; called for one after the other
   */
  constructor(folder, make) {
    this.#folder = folder;
    this.#make = make;
  }

  /**
   * The page as a browser gets it, or what it gets instead until the build that it needs is there. A browser says by a cookie which that is.
   * @param {string} html
   * @param {string} [cookie]
   */
  page(html, cookie = '') {
    const present = NAMES.filter((name) => this.#has(name));
    const needed = /(?:^|; )vitscope-build=([^;]*)/.exec(cookie)?.[1];
    if (needed && NAMES.includes(needed) && !present.includes(needed)) return readFileSync(WAITING, 'utf8');
    return present.length < NAMES.length ? html.replace('<head>', `<head>\n  <script type="module" async>${askForBuild(present)}</script>`) : html;
  }

  /** @param {string} name */
  #has(name) {
    return existsSync(join(this.#folder, `${name}.wasm`));
  }

  /**
   * Waits until a build is there; rejects where it can't be made. Next time it is tried anew.
   * @param {string} name
   * @returns {Promise<unknown> | undefined} none: it is there, or there is no such build
   */
  provide(name) {
    if (!NAMES.includes(name) || this.#has(name)) return undefined;
    return this.#underWay.get(name) ?? this.#start(name);
  }

  /** @param {string} name */
  #start(name) {
    const made = this.#last.then(() => this.#make(name)).finally(() => this.#underWay.delete(name));
    this.#underWay.set(name, made);
    this.#last = made.catch(() => {});
    return made;
  }
}

/** @param {string[]} present */
const askForBuild = (present) => `
    import { chooseBackend } from '/pkg/lib/engine/backend.js';
    try {
      const { simd, threads } = chooseBackend(undefined, undefined, true);
      const build = threads > 1 ? simd + '-threads' : simd;
      document.cookie = 'vitscope-build=' + build + '; path=/; SameSite=Strict';
      if (document.cookie.includes(build) && !${JSON.stringify(present)}.includes(build)) location.reload();
    } catch {} // The page says what this browser lacks.
  `;
