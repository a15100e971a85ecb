// The package `appengine` comes with the platform. An app may declare it all the same, so that its editor and its tests
// find it, in a version that no registry has or as `file:`; taking what a registry has under that name would let a
// stranger's code in. So while npm runs, package.json and the lock file are copies without that entry.

export const PLATFORM_PACKAGE = 'appengine';

/** Run by `node -e` in the app's directory, before npm. The originals are kept beside. */
export const HIDE_PLATFORM_PACKAGE = `
const fs = require('fs');
const name = '${PLATFORM_PACKAGE}';
const groups = ['dependencies', 'devDependencies', 'optionalDependencies', 'peerDependencies'];
const strip = (json) => { for (const group of groups) if (json && json[group]) delete json[group][name]; };
for (const file of ['package.json', 'package-lock.json', 'npm-shrinkwrap.json']) {
  if (!fs.existsSync(file)) continue;
  const json = JSON.parse(fs.readFileSync(file, 'utf8'));
  fs.copyFileSync(file, file + '.before-install');
  if (file === 'package.json') strip(json);
  else {
    const packages = json.packages || {};
    strip(packages['']);
    const link = packages['node_modules/' + name];
    if (link && link.link) delete packages[link.resolved];
    for (const path of Object.keys(packages)) {
      if (path === 'node_modules/' + name || path.startsWith('node_modules/' + name + '/')) delete packages[path];
    }
    if (json.dependencies) delete json.dependencies[name];
  }
  fs.writeFileSync(file, JSON.stringify(json, null, 2));
}
`.trim();

/** Run by `node -e` after npm. */
export const RESTORE_PACKAGE_FILES = `
const fs = require('fs');
for (const file of ['package.json', 'package-lock.json', 'npm-shrinkwrap.json']) {
  if (fs.existsSync(file + '.before-install')) fs.renameSync(file + '.before-install', file);
}
`.trim();
