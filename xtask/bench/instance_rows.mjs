/** Of engines beside each other, what people read. */
import { quantile } from './stats.mjs';

/** What a second engine may cost the first while it is idle, and both at once against one after the other. */
const [IDLE, AT_ONCE, TWO_THREADS] = [0.1, 1.15, 1.85];

/**
 * @param {string} name of the model
 * @param {import('./instances.mjs').Instances} instances
 * @returns {import('./report.mjs').Row[]}
 */
export function instanceRows(name, { dtype, alone, idle, apart, together, scaling }) {
  const [beside, at, row] = [times(idle, alone), times(together, apart), { theirs: '' }];
  const more = 100 * (beside - 1);
  const rows = [
    { ...row, what: `${name} ${dtype}, 2 threads, beside an idle engine`, ours: ms(idle), ratio: `${more < 0 ? '−' : '+'}${Math.abs(more).toFixed(1)} %`, target: `≤ ${100 * IDLE} %`, met: beside <= 1 + IDLE },
    { ...row, what: `${name} ${dtype}, 2 threads each, an image of two engines at once`, ours: ms(together), ratio: `${at.toFixed(2)} × one after the other`, target: `≤ ${AT_ONCE} ×`, met: at <= AT_ONCE },
  ];
  if (scaling) {
    const [faster, most] = [times(scaling.one, scaling.two), 2 * times(scaling.one, scaling.pair)];
    rows.push({ ...row, what: `${name} ${dtype}, 2 threads against 1 in ${scaling.one.rounds} rounds`, ours: `${faster.toFixed(2)} ×`, ratio: `${most.toFixed(2)} × by two engines at once`, target: `≥ ${TWO_THREADS} ×`, met: faster >= TWO_THREADS });
  }
  return rows;
}

/**
 * The median over the rounds, each of which met the same load of the machine.
 * @param {import('./stats.mjs').Series} a
 * @param {import('./stats.mjs').Series} b
 */
const times = (a, b) => quantile(a.values.map((value, round) => value / b.values[round]), 0.5);
/** @param {import('./stats.mjs').Series} series */
const ms = ({ median }) => `${median < 100 ? median.toFixed(1) : Math.round(median)} ms`;
