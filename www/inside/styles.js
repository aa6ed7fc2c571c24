/** The lesson's own styles, beside the explorer's, whose colours and controls it has. One column to read, a figure beside it that stays in sight. */
export const LESSON_STYLES = /* css */ `
:host { --q: var(--one); --k: var(--two); --v: var(--three); --z: var(--four); --dock: 52px; container: explorer / inline-size; }
.q { color: var(--q); }
.k { color: var(--k); }
.v { color: var(--v); }
.z { color: var(--z); }
.s { color: var(--signal); }

/* Dock: where one is, which photo, what the model says */

.dock { position: sticky; top: 0; z-index: 8; display: flex; align-items: center; gap: 8px 16px; height: var(--dock); padding: 0 28px; max-width: var(--widest); margin: 0 auto; background: var(--paper); border-bottom: 1px solid var(--line); }
.dock .contents { position: relative; }
.dock summary { list-style: none; min-width: 150px; justify-content: flex-start; }
.dock summary::-webkit-details-marker { display: none; }
.dock summary::before { content: "≡"; font-size: 16px; line-height: 1; }
.dock nav { position: absolute; top: calc(100% + 8px); left: 0; width: max-content; max-width: calc(100cqw - 32px); padding: 8px 6px; background: var(--paper); border: 1px solid var(--strong-line); border-radius: 6px; box-shadow: 0 6px 24px rgb(0 0 0 / 0.14); max-height: calc(100svh - 110px); overflow-y: auto; }
.dock nav ol { counter-reset: chapter; }
.dock nav a { display: block; padding: 6px 14px 6px 10px; color: var(--ink); text-decoration: none; border-radius: 4px; }
.dock nav a::before { counter-increment: chapter; content: counter(chapter); display: inline-block; width: 2.2em; color: var(--soft); }
.dock nav a:hover { background: var(--well); }
.dock .sources { padding: 0; border: 0; gap: 10px; flex-wrap: nowrap; }
.dock .samples { min-height: 0; }
.dock .samples button { width: 44px; height: 34px; }
.dock .answer { margin-left: auto; font-weight: 600; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.dock .answer[aria-busy="true"] { opacity: 0.5; }

/* Text */

article { max-width: 1560px; margin: 0 auto; padding: 0 28px 30svh; font-size: 17px; line-height: 1.6; }
.opening { padding: 7svh 0 2svh; }
.opening > p { max-width: 46em; }
h1 { margin: 0; font-size: clamp(30px, 4.4cqw, 54px); line-height: 1.1; letter-spacing: -0.025em; font-weight: 650; }
.lead { margin-top: 20px; font-size: clamp(17px, 1.5cqw, 20px); }
.opening .hint { margin-top: 14px; font-size: 15px; }
.way { display: grid; grid-auto-flow: column; grid-auto-columns: minmax(0, 1fr); gap: 4.5cqw; max-width: 1120px; margin-top: 36px; }
.way li + li { position: relative; }
.way li + li::before { content: "→"; position: absolute; right: calc(100% + 2.25cqw); top: clamp(20px, 5.6cqw, 74px); transform: translate(50%, -50%); color: var(--soft); }
.way a { display: block; color: inherit; text-decoration: none; font-size: 14px; line-height: 20px; }
.way .plane { display: block; aspect-ratio: 1; margin-bottom: 8px; }
.way .name { display: block; font-weight: 600; }
.way .more { display: block; color: var(--soft); overflow: hidden; text-overflow: ellipsis; }
.way a:hover .name { text-decoration: underline; text-underline-offset: 3px; }
.chapter { display: grid; grid-template: "title figure" auto "prose figure" 1fr / min(27em, 40%) minmax(0, 1fr); gap: 0 clamp(32px, 4.5%, 64px); scroll-margin-top: calc(var(--dock) + 1px); }
.chapter + .chapter { border-top: 1px solid var(--line); }
.chapter h2 { grid-area: title; padding: 12svh 0 0; font-size: 26px; line-height: 1.2; letter-spacing: -0.015em; outline: none; }
.chapter .number { display: block; margin-bottom: 6px; font-size: 13px; font-weight: 400; letter-spacing: 0; color: var(--soft); }
.prose { grid-area: prose; padding-bottom: 16svh; }
.step { padding: 3svh 0; min-height: 40svh; }
.step:last-child { min-height: 42svh; }
.step > * + * { margin-top: 0.8em; }
.step p, .step li { text-wrap: pretty; }
.step ul { padding-left: 1.1em; list-style: disc; }
.step b { font-weight: 600; font-variant-numeric: tabular-nums; }
.step [data-fact="patch"], .step [data-fact="grid"], .step [data-fact="image"] { white-space: nowrap; }
.step small { display: block; font-size: 14px; color: var(--soft); }
.step a { color: inherit; text-underline-offset: 3px; }
.step pre { padding: 10px 14px; overflow-x: auto; font-size: 14px; line-height: 1.5; background: var(--well); border-radius: 4px; }
.step pre code { font-size: 1em; }
math { font-size: 1.08em; }
math[display="block"] { margin: 0.9em 0; overflow-x: auto; overflow-y: hidden; padding: 4px 0; }

/* Figure */

.chapter figure { grid-area: figure; position: sticky; top: var(--dock); align-self: start; display: flex; flex-direction: column; height: calc(100svh - var(--dock)); padding: 18px 0; min-width: 0; font-size: 14px; line-height: 1.45; }
.drawing { flex: 1; min-height: 0; container: drawing / size; transition: opacity 0.15s; }
.drawing > * { height: 100%; display: flex; flex-direction: column; gap: 12px; min-width: 0; }
.chapter[data-busy] .drawing { opacity: 0.6; }
.chapter figcaption { display: block; flex: none; padding: 10px 0 0; min-height: 66px; font-size: 14px; line-height: 20px; color: var(--soft); border-top: 1px solid var(--line); }
.chapter .stage { flex: 1; height: auto; min-height: 120px; width: 100%; background: none; }
.chapter canvas { max-width: 100%; }
.chapter.unfit .drawing { display: none; }
.chapter.unfit figure { justify-content: center; }
.chapter.unfit figcaption { max-width: 32em; margin: 0 auto; padding: 0; min-height: 0; border: 0; font-size: 15px; text-align: center; text-wrap: balance; }
.drawing .row { display: flex; gap: 16px; min-height: 0; min-width: 0; }
.drawing .grow { flex: 1; min-width: 0; min-height: 0; }
.drawing .controls { margin: 0; flex: none; }
.drawing .note { flex: none; font-size: 13px; color: var(--soft); }
.drawing h3 { font-size: 13px; font-weight: 600; }

.plane { position: relative; min-width: 0; min-height: 0; }
.plane canvas { position: absolute; inset: 0; width: 100%; height: 100%; }
.scene { flex: 1; min-height: 0; display: flex; flex-direction: column; gap: 12px; }
.cells { flex: 1; min-width: 0; min-height: 0; display: grid; place-items: center; container-type: size; }
.cells .frame { position: relative; width: min(100cqw, calc(100cqh * var(--ratio, 1))); aspect-ratio: var(--ratio, 1); }
.side { flex: 1; min-width: 0; min-height: 0; display: flex; flex-direction: column; justify-content: center; gap: 8px; }
.side .cells { flex: 0 1 auto; width: 100%; aspect-ratio: var(--ratio, 1); }
.cells canvas { display: block; width: 100%; height: 100%; background: var(--well); }
.cells.picks canvas { cursor: crosshair; touch-action: manipulation; }
.cells .cell { position: absolute; pointer-events: none; }
.cells .hover { box-shadow: inset 0 0 0 2px #fff, 0 0 0 1px rgb(0 0 0 / 0.6); }
.cells .query { box-shadow: inset 0 0 0 2px #fff, 0 0 0 2px var(--signal); }

.bars { display: grid; gap: 4px; }
.bars li { display: grid; grid-template-columns: minmax(6em, 12em) minmax(0, 1fr) 8.5em; align-items: center; gap: 12px; min-height: 24px; }
.bars .label { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.bars .bar { position: relative; display: block; height: 8px; padding: 0; border: 0; margin: 0; max-width: none; background: var(--well); }
.bars i { position: absolute; inset: 0; background: var(--bar-rest); transform: scaleX(var(--share)); transform-origin: left; transition: transform 0.25s ease-out; }
.bars li:first-child i { background: var(--bar); }
.bars u { position: absolute; top: -3px; bottom: -3px; left: calc(100% * var(--share)); width: 2px; background: var(--signal); }
.bars .score { color: var(--soft); white-space: nowrap; }
.bars li:first-child .score { color: var(--ink); }
.bars .was { font-size: 12px; color: var(--soft); }
.vector { display: grid; gap: 2px; }
.vector canvas { display: block; width: 100%; height: 20px; image-rendering: pixelated; background: var(--well); }
.vector .value { font-size: 12px; line-height: 16px; color: var(--soft); min-height: 16px; }

/* One column: the figure above the text that it belongs to. */

@container explorer (max-width: 900px) {
  .dock { padding: 0 16px; gap: 10px; }
  .dock summary { min-width: 0; width: 40px; padding: 0; justify-content: center; }
  .dock summary span { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  .dock .samples button { width: 38px; height: 34px; }
  .dock .answer { font-size: 13px; }
  article { padding: 0 16px 40svh; font-size: 16px; }
  .opening { padding: 5svh 0 2svh; }
  .way { gap: 16px; }
  .way li + li::before { right: calc(100% + 8px); top: 6.5cqw; font-size: 12px; }
  .way a { font-size: 12px; line-height: 16px; }
  .way .more { display: none; }
  .chapter { display: block; }
  .chapter h2 { padding-top: 7svh; font-size: 23px; }
  .chapter figure { z-index: 4; height: 54svh; margin: 10px -16px 0; padding: 8px 16px; background: var(--paper); border-bottom: 1px solid var(--line); font-size: 13px; }
  .chapter.unfit figure { height: auto; padding: 20px 16px; }
  .chapter figcaption { min-height: 57px; padding-top: 6px; font-size: 12.5px; line-height: 17px; }
  .prose { padding: 2svh 0 10svh; }
  .step { min-height: 34svh; }
  .drawing .row { gap: 10px; }
  .drawing > *, .scene { gap: 8px; }
  .bars li { grid-template-columns: minmax(5em, 9em) minmax(0, 1fr) 7em; gap: 8px; min-height: 20px; }
}

@container explorer (max-width: 520px) {
  .dock .samples li:nth-child(n + 4) { display: none; }
  .dock .sources .button { padding: 0 8px; }
}
`;
