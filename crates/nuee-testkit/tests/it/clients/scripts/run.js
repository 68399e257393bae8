// Runs one function of one script: run.js SCRIPT FUNCTION.

const path = require("node:path");

const [, , script, name] = process.argv;

require(path.resolve(script))
    [name]()
    .then(
        // Connections that a client keeps would keep the program.
        () => process.exit(0),
        (error) => {
            console.error(error);
            process.exit(1);
        },
    );
