/**
 * A button that does something once, and again and again while it is held, by pointer or key.
 * @param {HTMLButtonElement} button
 * @param {number} pause ms
 * @param {(again: boolean) => Promise<boolean>} work resolves with whether there is more to do
 */
export function whileHeld(button, pause, work) {
  let held = {};
  const stop = () => {
    held = {};
    button.classList.remove('on');
  };
  const start = async () => {
    const mine = (held = {});
    button.classList.add('on');
    for (let again = false; mine === held; again = true) {
      if (!(await work(again))) return mine === held && stop();
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  };
  button.addEventListener('pointerdown', (event) => {
    if (event.button) return;
    button.setPointerCapture(event.pointerId);
    start();
  });
  for (const end of ['pointerup', 'pointercancel', 'lostpointercapture', 'blur', 'keyup']) button.addEventListener(end, stop);
  button.addEventListener('keydown', (event) => {
    if (event.key !== ' ' && event.key !== 'Enter') return;
    event.preventDefault(); // or it is clicked as well
    if (!event.repeat) start();
  });
  button.addEventListener('contextmenu', (event) => event.preventDefault()); // which a long touch would open
  // By what has neither pointer nor key: a screen reader, a voice.
  button.addEventListener('click', (event) => {
    if (!(/** @type {PointerEvent} */ (event).pointerType)) work(false);
  });
}
