/** The engine in browsers of several makers, for `cargo xtask bench --only engines`: kernels one by one, and ViT-Ti as a whole. Those that are not installed are left out. */
import { BROWSERS, open } from '../../tests/engines/browsers.mjs';
import { serve } from '../server.mjs';
import { markdown, rows, versionOf } from './engines_report.mjs';
import { describeMachine, keep, say } from './record.mjs';

const choices = JSON.parse(process.argv[2]);
const server = await serve({ folders: ['xtask/bench', 'target/bench'] });
try {
  const machine = await describeMachine();
  const engines = [];
  for (const browser of BROWSERS) {
    if (!browser.program) {
      say(`${browser.name} is not installed`);
      continue;
    }
    say(browser.name);
    const { agent, builds, error } = await open(browser, (report) => `${server.url}xtask/bench/engines.html?${new URLSearchParams({ report, model: `${server.url}target/bench/models/ti` })}`);
    if (error) throw new Error(`${browser.name}: ${error}`);
    engines.push({ browser: browser.name, version: versionOf(agent), builds });
  }
  const record = { ...machine, engines };
  console.log(`\n${rows(record).map((cells) => cells.join('  ')).join('\n')}\n`);
  keep(choices, record, [{ name: 'bench engines', content: markdown(record) }]);
} finally {
  await server.close();
}
