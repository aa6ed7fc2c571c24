/** Where one is in the text: which chapter is near, and which step of which is being read. */

/** How far down the window the line is at which one reads: below the figure, where that is above the text. */
const LINE = { beside: 0.5, above: 0.78 };
/** Of the window's height, above and below it, where a chapter is near enough to be drawn. */
const NEAR = 0.35;

/**
 * @param {HTMLElement[]} sections each with `.step`s
 * @param {{onRead: (section: number, step: number) => void, onNear: (section: number, near: boolean) => void}} handlers
 * @param {AbortSignal} life
 */
export function createReading(sections, { onRead, onNear }, life) {
  const steps = sections.flatMap((section, i) => [...section.querySelectorAll('.step')].map((element, step) => ({ element, section: i, step })));
  const narrow = matchMedia('(max-width: 900px)');
  let lines = new IntersectionObserver(() => {});

  function watchLine() {
    lines.disconnect();
    const above = 100 * (narrow.matches ? LINE.above : LINE.beside);
    lines = new IntersectionObserver((entries) => {
      const reached = entries.findLast(({ isIntersecting }) => isIntersecting);
      const place = steps.find(({ element }) => element === reached?.target);
      if (place) onRead(place.section, place.step);
    }, { rootMargin: `${-above}% 0px ${above - 99.9}% 0px` });
    steps.forEach(({ element }) => lines.observe(element));
  }

  const near = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) onNear(sections.indexOf(/** @type {HTMLElement} */ (target)), isIntersecting);
  }, { rootMargin: `${100 * NEAR}% 0px` });
  sections.forEach((section) => near.observe(section));
  watchLine();
  narrow.addEventListener('change', watchLine, { signal: life });
  life.addEventListener('abort', () => [near, lines].forEach((observer) => observer.disconnect()));
}
