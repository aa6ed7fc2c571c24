/** Of engines beside each other, what people read. */
import { ms, signed } from './cells.mjs';
import { times } from './stats.mjs';

/** What a second engine may cost the first while it is idle, and both at once against one after the other. */
const [IDLE, AT_ONCE] = [0.1, 1.15];
/** How much faster two threads are to be than one. */
export const TWO_THREADS = 1.85;

/**
 * @param {string} name of the model
 * @param {import('./instances.mjs').Instances} instances
 * @returns {import('./report.mjs').Row[]}
 */
export function instanceRows(name, { dtype, alone, idle, apart, together, scaling }) {
  const [beside, at, row] = [times(idle, alone), times(together, apart), { theirs: '' }];
  const rows = [
    { ...row, what: `${name} ${dtype}, 2 threads, beside an idle engine`, ours: ms(idle), ratio: `${signed(100 * (beside - 1))} %`, target: `≤ ${100 * IDLE} %`, met: beside <= 1 + IDLE },
    { ...row, what: `${name} ${dtype}, 2 threads each, an image of two engines at once`, ours: ms(together), ratio: `${at.toFixed(2)} × one after the other`, target: `≤ ${AT_ONCE} ×`, met: at <= AT_ONCE },
  ];
  if (scaling) {
    const [faster, most] = [times(scaling.one, scaling.two), 2 * times(scaling.one, scaling.pair)];
    rows.push({ ...row, what: `${name} ${dtype}, 2 threads against 1 in ${scaling.one.rounds} rounds`, ours: `${faster.toFixed(2)} ×`, ratio: `${most.toFixed(2)} × by two engines at once`, target: `≥ ${TWO_THREADS} ×`, met: faster >= TWO_THREADS });
  }
  return rows;
}
