// node scripts/complete-lockfile.mjs [file]: adds to package-lock.json the optional packages of other platforms that the registry did not give when it
// was written. npm install leaves them out without a word; npm ci then refuses the lockfile on every machine.

import fs from 'node:fs';
import process from 'node:process';

const SYSTEMS = ['android', 'darwin', 'freebsd', 'linux', 'openharmony', 'win32'];
const PROCESSORS = ['arm', 'arm64', 'ia32', 'x64', 'ppc64', 'riscv64', 's390x', 'loong64'];

const file = process.argv[2] ?? 'package-lock.json';
const lock = JSON.parse(fs.readFileSync(file, 'utf8'));
const { packages } = lock;

for (const [folder, { dev, optionalDependencies = {} }] of Object.entries(packages)) {
  for (const [name, version] of Object.entries(optionalDependencies)) {
    if (packages[`node_modules/${name}`] || packages[`${folder}/node_modules/${name}`]) continue;
    packages[`node_modules/${name}`] = { version, ...platformOf(name), ...(dev ? { dev } : {}), optional: true };
    console.error(`added ${name}@${version}`);
  }
}
lock.packages = Object.fromEntries(Object.entries(packages).sort(([a], [b]) => (a < b ? -1 : 1)));
fs.writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);

/**
 * Where the package belongs, from its name: it must not be fetched anywhere else.
 * @param {string} name
 */
function platformOf(name) {
  const words = name.split(/[/-]/);
  const os = words.filter((word) => SYSTEMS.includes(word));
  const cpu = words.filter((word) => PROCESSORS.includes(word));
  if (os.length !== 1 || cpu.length !== 1) throw new Error(`${name}: cannot tell its platform from its name`);
  return { os, cpu, ...(words.includes('musl') ? { libc: ['musl'] } : {}) };
}
