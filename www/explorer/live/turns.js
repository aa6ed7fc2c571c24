/** While frames follow each other, small pictures take turns, so that the page stays free. */

/** What follows is another task: the browser may do its own in between. @returns {Promise<void>} */
export function yielded() {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel(); // a timer would wait for 4 ms
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(0);
  });
}

/** @param {number} [most] ms of each frame that they may take */
export function createTurns(most = 1.5) {
  let next = 0;

  /**
   * @param {number} count
   * @param {boolean} live
   * @param {(i: number) => void} draw
   */
  return (count, live, draw) => {
    const end = live ? performance.now() + most : Infinity;
    for (let done = 0; done < count && (!done || performance.now() < end); done++) {
      next = (next + 1) % count;
      draw(next);
    }
  };
}
