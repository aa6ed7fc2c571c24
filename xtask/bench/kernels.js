/** GMAC/s of the engine's kernels, one by one, in this engine. */

/** What xtask builds of benches/browser; not there when types are checked. */
const MODULES = { relaxed: '../../target/bench/kernels/kernels.js', simd128: '../../target/bench/kernels-simd128/kernels.js' };

/** Tokens of a 224 × 224 image in patches of 16, and its class token. */
const TOKENS = 197;
/** Rows of a block, as `src/parallel.rs` has them: of tokens, and where all of a hidden layer is there at once, as in int8. */
const [TOKEN_ROWS, BLOCK_ROWS] = [100, 32];
/** Inputs and outputs of the encoder's layers. */
const SHAPES = /** @type {const} */ ([
  ['ViT-Ti qkv', 192, 576], ['ViT-Ti proj', 192, 192], ['ViT-Ti fc1', 192, 768], ['ViT-Ti fc2', 768, 192],
  ['ViT-B qkv', 768, 2304], ['ViT-B proj', 768, 768], ['ViT-B fc1', 768, 3072], ['ViT-B fc2', 3072, 768],
]);
/** Channels of a head, and tokens at 224 and at 518 pixels (in patches of 14). The more tokens, the same rate, or nearly. */
const HEAD = 64;
const MANY_TOKENS = 1370;
/** What the attention of many tokens may take of what its products take at the rate of few. */
const SLOWER = 1.15;
/** The least of so many timings of about so many milliseconds: a kernel alone is disturbed only ever to the slower side. */
const TIMINGS = 25;
const TIMING_MS = 15;
const DOT = 'peak of the int8 dot instruction';
const MUL_ADD = 'peak of the f32 multiply-add';

/**
 * @param {'relaxed' | 'simd128'} [simd]
 * @returns {Promise<import('./report.mjs').Kernel[]>}
 */
export async function measure(simd = 'relaxed') {
  const { default: init, Kernel } = await import(MODULES[simd]);
  await init();
  /** @type {import('./report.mjs').Kernel[]} */
  const rows = [];
  // Where these are two instructions each, compilers take the product out of a loop that repeats it.
  if (simd === 'relaxed') rows.push({ name: DOT, gmacs: rate(Kernel.peak_dot()) }, { name: MUL_ADD, gmacs: rate(Kernel.peak_mul_add()) });
  for (const [name, k, n] of SHAPES) {
    const most = / fc/.test(name) ? BLOCK_ROWS : TOKEN_ROWS;
    rows.push({ name: `int8 ${name}, ${TOKENS} × ${k} × ${n}`, gmacs: rate(Kernel.gemm_i8(TOKENS, k, n, most)), peak: DOT, target: 0.75 });
    rows.push({ name: `f32 ${name}, ${TOKENS} × ${k} × ${n}`, gmacs: rate(Kernel.gemm_f32(TOKENS, k, n, TOKEN_ROWS)), peak: MUL_ADD, target: 0.9 });
  }
  for (const dtype of ['f32', 'int8']) {
    const [few, many] = [TOKENS, MANY_TOKENS].map((tokens) => ({
      name: `${dtype} attention of a head of ${HEAD}, ${tokens} tokens`,
      gmacs: rate(Kernel.attention(tokens, HEAD, dtype === 'int8')),
    }));
    rows.push(few, { ...many, peak: few.name, target: 1 / SLOWER });
  }
  return rows;
}

/** @param {{work: number, run: (rounds: number) => void, free: () => void}} kernel @returns {number} GMAC/s */
function rate(kernel) {
  /** @param {number} rounds */
  const time = (rounds) => {
    const start = performance.now();
    kernel.run(rounds);
    return performance.now() - start;
  };
  let rounds = 1;
  for (let ms = time(1); ms < TIMING_MS; ms = time(rounds)) rounds = Math.ceil(rounds * Math.min(10, Math.max(1.5, TIMING_MS / Math.max(ms, 0.1))));
  const best = Math.min(...Array.from({ length: TIMINGS }, () => time(rounds) / rounds));
  const macs = kernel.work;
  kernel.free();
  return macs / best / 1e6;
}
