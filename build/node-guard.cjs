// Stops with a plain sentence where the scripts would run on another Node than the project's: npm's own may be older.
'use strict'
const wanted = require('../package.json').devDependencies.node
if (process.versions.node.split('.')[0] !== wanted.split('.')[0]) {
  console.error(
    `This project runs on Node ${wanted}; this is ${process.version}. Run \`npm ci\` (with scripts, they bring the right Node` +
      ` into node_modules), or install Node ${wanted.split('.')[0]}.`,
  )
  process.exit(1)
}
