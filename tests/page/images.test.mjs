/** Pictures that a canvas does not hold, that end early, and that are none: the command line's answer or a clear error, and the model goes on. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { deflateSync } from 'node:zlib';
import { CONFIG, FOLDER, ROOT, chunk, classifyByCli, openApi, png, startBrowser, startServer, temporaryFolder } from './harness.mjs';

/** @type {Awaited<ReturnType<typeof openModel>>} */
let tab;
before(async () => {
  tab = await openModel();
});

/** A tab with a model, in a browser with these flags. @param {string[]} [flags] */
async function openModel(flags) {
  const [browser, origin] = await Promise.all([startBrowser(flags), startServer()]);
  const tab = await openApi(browser, origin);
  await tab.page.evaluate(async (model) => void ((/** @type {any} */ (globalThis)).vit = await vitscope.Vitscope.load(model)), FOLDER);
  return tab;
}

/**
 * What the package says of a picture in each form: the classes' scores, or the error's code and sentence.
 * @param {Buffer} file
 * @param {('blob' | 'img' | 'bitmap')[]} wanted
 * @param {string} [type]
 */
const answers = (file, wanted, type = 'image/png') =>
  tab.page.evaluate(async ({ base64, wanted, type, classes }) => {
    const blob = await (await fetch(`data:${type};base64,${base64}`)).blob();
    const forms = /** @type {Record<string, () => Promise<import('../../pkg/index.js').ImageSource>>} */ ({
      blob: async () => blob,
      img: async () => {
        const element = Object.assign(new Image(), { src: URL.createObjectURL(blob) });
        await element.decode();
        return element;
      },
      bitmap: () => createImageBitmap(blob),
    });
    /** @type {Record<string, {scores?: number[], code?: string, message?: string}>} */
    const found = {};
    for (const form of wanted) {
      try {
        const { top } = await /** @type {any} */ (globalThis).vit.classify(await forms[form](), { topK: classes });
        found[form] = { scores: top.sort((/** @type {any} */ a, /** @type {any} */ b) => a.index - b.index).map((/** @type {any} */ { score }) => score) };
      } catch (error) {
        found[form] = { code: /** @type {any} */ (error).code ?? 'none', message: /** @type {Error} */ (error).message };
      }
    }
    return found;
  }, { base64: file.toString('base64'), wanted, type, classes: CONFIG.numClasses });

/**
 * A PNG of one bit a pixel: small, whatever it unfolds to.
 * @param {number} width
 * @param {number} height
 * @param {(x: number, y: number) => number} [eight] of eight pixels
 */
function bits(width, height, eight) {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([1, 0], 8);
  const stride = 1 + Math.ceil(width / 8);
  const rows = Buffer.alloc(height * stride, 0x35);
  for (let y = 0; y < height; y++) {
    rows[y * stride] = 0;
    for (let x = 1; eight && x < stride; x++) rows[y * stride + x] = eight(x - 1, y);
  }
  const signature = Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]);
  return Buffer.concat([signature, chunk('IHDR', header), chunk('IDAT', deflateSync(rows, { level: 1 })), chunk('IEND', Buffer.alloc(0))]);
}

test("what is longer or larger than a canvas gets the command line's answer", async () => {
  const folder = temporaryFolder();
  const opaque = (/** @type {number} */ x, /** @type {number} */ y) => /** @type {[number, number, number, number]} */ ([(x >> 8) & 255, (x + 3 * y) & 255, (y >> 8) & 255, 255]);
  const clear = (/** @type {number} */ x, /** @type {number} */ y) => /** @type {[number, number, number, number]} */ ([(x >> 8) & 255, (7 * x + 3 * y) & 255, 200 - ((y >> 8) & 127), (x + y) & 255]);
  /** @type {[number, number, typeof opaque | undefined][]} */
  const pictures = [[40_000, 2, opaque], [70_000, 1, opaque], [2, 70_000, opaque], [66_000, 10, clear], [30, 5000, clear], [4200, 4100, undefined]];
  for (const [width, height, colour] of pictures) {
    const file = colour ? png(width, height, colour) : bits(width, height, (x, y) => (8 * x > y ? 0xfe : (x * y) & 255));
    const path = join(folder, `${width}x${height}.png`);
    writeFileSync(path, file);
    const [{ top }] = await classifyByCli([`.${FOLDER}`, path, '--top', String(CONFIG.numClasses)]);
    const expected = top.sort((a, b) => a.index - b.index).map(({ score }) => score);
    // (The bitmap of somebody who didn't ask for its colours as they are stored has lost some of them under transparency.)
    const found = await answers(file, colour === clear ? ['blob', 'img'] : ['blob', 'img', 'bitmap']);
    for (const [form, { scores, message }] of Object.entries(found)) {
      assert.ok(scores, `${width} × ${height}, ${form}: ${message}`);
      assert.ok(Math.max(...scores.map((score, i) => Math.abs(score - expected[i]))) < 1e-4, `${width} × ${height}, ${form}: ${scores} and ${expected}`);
    }
  }
});

test('what has too many pixels is invalid, and said before it is copied where its size is known', async () => {
  for (const [width, height] of [[13_400, 13_400], [70_000, 3000]]) {
    const { blob, img } = await answers(bits(width, height), ['blob', 'img']);
    for (const { code, message } of [blob, img]) {
      assert.equal(code, 'invalid-image', message);
      assert.match(message ?? '', new RegExp(`${width} × ${height}.*178956970`));
    }
  }
  // Too many for the browser itself.
  const { blob } = await answers(bits(30_000, 20_000), ['blob']);
  assert.equal(blob.code, 'decode-image', blob.message);
});

test('canvases that the browser does not draw are told from blank ones', async () => {
  const found = await tab.page.evaluate(async () => {
    const vit = /** @type {import('../../pkg/index.js').Vitscope} */ (/** @type {any} */ (globalThis).vit);
    /** @type {Record<string, string>} */
    const found = {};
    for (const [width, height] of [[40_000, 2], [2, 65_535], [70_000, 1], [1, 66_000], [20_000, 20_000]]) {
      const element = Object.assign(document.createElement('canvas'), { width, height });
      for (const canvas of [element, new OffscreenCanvas(width, height)]) {
        const context = /** @type {CanvasRenderingContext2D | null} */ (canvas.getContext('2d'));
        context?.fillRect(0, 0, width, height);
        const said = await vit.classify(canvas).then(({ top }) => `answer ${top[0].score}`, (error) => `${error.code}: ${error.message}`);
        found[`${canvas.constructor.name} ${width} × ${height}`] = said;
      }
    }
    const black = new ImageData(8, 8);
    for (let i = 3; i < black.data.length; i += 4) black.data[i] = 255;
    found.black = `answer ${(await vit.classify(black)).top[0].score}`;
    return found;
  });
  for (const [name, said] of Object.entries(found)) {
    if (/40000|65535|black/.test(name)) assert.equal(said, found.black, name);
    else assert.match(said, /^invalid-image: .*\d+ × \d+/, name);
  }
});

test('a map over such a picture is refused, or drawn smaller', async () => {
  const [refused, size] = await tab.page.evaluate(async (base64) => {
    const vit = /** @type {import('../../pkg/index.js').Vitscope} */ (/** @type {any} */ (globalThis).vit);
    const image = await (await fetch(`data:image/png;base64,${base64}`)).blob();
    const { toPNG } = vitscope;
    const map = await vit.attribute(image);
    const refused = await toPNG(map, { image }).catch((error) => `${error.code}: ${error.message}`);
    const smaller = await createImageBitmap(await toPNG(map, { image, width: 700, height: 10 }));
    return [refused, `${smaller.width} × ${smaller.height}`];
  }, bits(70_000, 9).toString('base64'));
  assert.match(String(refused), /^invalid-argument: .*70000 × 9.*smaller/);
  assert.equal(size, '700 × 10');
});

test('ImageData of 16-bit floats and of too many pixels are told so', async () => {
  const found = await tab.page.evaluate(async (model) => {
    const vit = /** @type {any} */ (globalThis).vit;
    const engine = await vitscope.Engine.load(model);
    const float16 = new ImageData(8, 8, /** @type {any} */ ({ pixelFormat: 'rgba-float16' }));
    const large = { width: 20_000, height: 20_000, data: new Uint8Array(4) };
    Object.defineProperty(large.data, 'length', { value: 16e8 }); // nothing may look at its values
    const say = (/** @type {any} */ error) => `${error.code}: ${error.message}`;
    /** @param {any} image */
    const synchronous = (image) => {
      try {
        return String(engine.classify(image));
      } catch (error) {
        return say(error);
      }
    };
    return { type: float16.data.constructor.name, float16: [await vit.classify(float16).catch(say), synchronous(float16)], large: [await vit.classify(large).catch(say), synchronous(large)] };
  }, FOLDER);
  assert.equal(found.type, 'Float16Array');
  for (const said of found.float16) assert.match(said, /^invalid-image: .*Float16Array.*rgba-unorm8/);
  for (const said of found.large) assert.match(said, /^invalid-image: .*20000 × 20000/);
});

test('a picture that the engine has no memory for is out-of-memory, and the model goes on', async () => {
  const { page, close } = await openModel(['--js-flags=--wasm-max-mem-pages=700']); // 46 MB, where the picture has 69
  const [small, large, again] = await page.evaluate(async () => {
    const vit = /** @type {import('../../pkg/index.js').Vitscope} */ (/** @type {any} */ (globalThis).vit);
    const say = (/** @type {ImageData} */ image) => vit.classify(image).then(({ top }) => `${top[0].label} ${top[0].score}`, (error) => `${error.code}: ${error.message}`);
    return [await say(new ImageData(9, 9)), await say(new ImageData(4200, 4100)), await say(new ImageData(9, 9))];
  });
  assert.match(large, /^out-of-memory: .*an image.*68880000/);
  assert.equal(again, small);
  await close();
});

test("a PNG is turned upright as its EXIF data says, as the command line turns it", async () => {
  const path = 'tests/fixtures/decode/exif_6.png';
  const [{ top }] = await classifyByCli([`.${FOLDER}`, path, '--top', String(CONFIG.numClasses)]);
  const expected = top.sort((a, b) => a.index - b.index).map(({ score }) => score);
  for (const [form, { scores }] of Object.entries(await answers(readFileSync(join(ROOT, path)), ['blob', 'img', 'bitmap']))) {
    assert.ok(scores && Math.max(...scores.map((score, i) => Math.abs(score - expected[i]))) < 1e-4, `${form}: ${scores} and ${expected}`);
  }
});

test('files that end early are refused, and the model goes on', async () => {
  const kinds = { 'photo_333x500.jpg': 'image/jpeg', 'progressive.jpg': 'image/jpeg', 'rgba.png': 'image/png', 'palette.gif': 'image/gif', 'lossy.webp': 'image/webp', 'lossless.webp': 'image/webp', 'color.bmp': 'image/bmp' };
  for (const [name, type] of Object.entries(kinds)) {
    const file = readFileSync(join(ROOT, 'tests/fixtures/decode', name));
    const early = await answers(file.subarray(0, (file.length * 2) / 3), ['blob', 'img'], type);
    for (const { code, message } of Object.values(early)) assert.equal(code, 'decode-image', `${name}: ${message}`);
    for (const { scores, message } of Object.values(await answers(file, ['blob', 'img'], type))) assert.ok(scores, `${name}: ${message}`);
  }
  assert.deepEqual(tab.errors, []);
});
