const { Worker, isMainThread, workerData } = require("worker_threads");

if (!isMainThread) {
  const total = new Int32Array(workerData);
  for (let i = 0; i < 10000; ++i) Atomics.add(total, 0, 1);
} else {
  const memory = new SharedArrayBuffer(4);
  let running = 4;
  for (let i = 0; i < 4; ++i) {
    new Worker(__filename, { workerData: memory }).on("exit", () => {
      if (--running === 0) console.log(String(new Int32Array(memory)[0]));
    });
  }
}
