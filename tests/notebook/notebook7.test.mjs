/** The widget in Notebook 7, which shares JupyterLab's code and has a page of its own. */
import { test } from 'node:test';
import { startBrowser } from '../page/harness.mjs';
import { PYTHON, has, openNotebook, startJupyter } from './jupyter.mjs';
import { PREPARE, answered, lacking, title } from './lab.mjs';

const skip = lacking || ((await has(PYTHON, 'notebook')) ? false : 'VITSCOPE_JUPYTER names no Python with Notebook 7');

test('it opens, follows Python, and is followed', { skip, timeout: 300_000 }, async () => {
  const [browser, jupyter] = await Promise.all([startBrowser(), startJupyter({ python: PYTHON }, { app: 'notebook' })]);
  const notebook = await openNotebook(browser, jupyter, 'python');
  await notebook.print(PREPARE);
  const { at } = await notebook.run('widget = vitscope.explore(FIXTURES / "hf_vit", expected("hf_vit")["pixel_values"]); widget');
  await answered(at);
  await notebook.print('widget.layer, widget.head = 0, 3');
  await title(at).getByText(/^Layer 0, head 3/).waitFor();
  await at.locator('#tab-rollout').click();
  await notebook.becomes('widget.view', 'rollout');
  await notebook.print('answer = await widget.trace()');
  await notebook.becomes('apart(answer["logits"], expected("hf_vit")["logits"]) < 1e-4', true);
  await notebook.close();
});
