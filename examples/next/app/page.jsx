'use client';

import { useEffect, useState } from 'react';
import { Vitscope } from 'vitscope';

export default function Page() {
  const [vit, setVit] = useState();
  const [top, setTop] = useState([]);

  useEffect(() => {
    const leave = new AbortController();
    let loaded;
    Vitscope.load('/models/vitscope-tiny/', { signal: leave.signal })
      .then((vit) => setVit((loaded = vit)))
      .catch((error) => leave.signal.aborted || console.error(error));
    return () => (leave.abort(), loaded?.close());
  }, []);

  const classify = async ({ target }) => setTop((await vit.classify(target.files[0])).top);
  return (
    <main>
      <input type="file" accept="image/*" disabled={!vit} onChange={classify} />
      <ol>{top.map(({ index, label, score }) => <li key={index}>{`${label}, ${Math.round(100 * score)} %`}</li>)}</ol>
    </main>
  );
}
