import { find, make } from '../dom.js';

/**
 * The views by name, one of them open. ARIA's tabs: one tab stop, arrows choose.
 * @param {HTMLElement} root
 * @param {{id: string, title: string, element: HTMLElement}[]} views
 * @param {(id: string) => void} onChoose
 */
export function createTabs(root, views, onChoose) {
  const list = find(root, '[role=tablist]');
  const tabs = views.map(({ id, title, element }) => {
    const tab = make('button', { type: 'button', role: 'tab', id: `tab-${id}`, 'aria-controls': `view-${id}` }, [title]);
    tab.addEventListener('click', () => onChoose(id));
    for (const [name, value] of Object.entries({ id: `view-${id}`, role: 'tabpanel', 'aria-labelledby': `tab-${id}` })) element.setAttribute(name, value);
    element.classList.add('panel');
    return { id, tab, element };
  });
  list.replaceChildren(...tabs.map(({ tab }) => tab));
  find(root, '.panels').replaceChildren(...tabs.map(({ element }) => element));

  list.addEventListener('keydown', (event) => {
    const from = tabs.findIndex(({ tab }) => tab === document.activeElement);
    const to = { ArrowLeft: from - 1, ArrowRight: from + 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const { id, tab } = tabs[(to + tabs.length) % tabs.length];
    onChoose(id);
    tab.focus();
  });

  return {
    /** @param {string} id */
    select(id) {
      for (const entry of tabs) {
        const chosen = entry.id === id;
        entry.tab.setAttribute('aria-selected', String(chosen));
        entry.tab.tabIndex = chosen ? 0 : -1;
        entry.element.hidden = !chosen;
        // Within the row of tabs: the page itself must not move.
        if (chosen) list.scrollLeft = entry.tab.offsetLeft - (list.clientWidth - entry.tab.offsetWidth) / 2;
      }
    },
  };
}
