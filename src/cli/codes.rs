//! The codes of errors in how the command line is used, and in what a command writes.

use crate::report::codes;

codes! {
    UNSUPPORTED_FLAG = "unsupported-flag", Usage,
        "A flag of ko has no equivalent.",
        "Some flags of ko only make sense for Go. The hint names what to use instead.";
    NO_MANIFESTS = "no-manifests", Usage,
        "No manifests are given.",
        "Name files, folders, glob patterns or URLs with `-f`, standard input with `-f -`, or a \
         kustomization with `-k`.";
    WORKING_DIRECTORY = "working-directory", Usage,
        "The working directory cannot be used.",
        "The folder of `-C` does not exist or cannot be entered, or the current folder was removed.";
    SYSTEM = "system", Failure,
        "The operating system refused a resource.",
        "Standard input or output cannot be used, or no thread can be started. Writing to a full disk \
         or a closed pipe ends like this.";
    OUTPUT_NEEDS_FILE = "output-needs-file", Usage,
        "A manifest was not read from a file, so it cannot be written to a file of its own.",
        "`--in-place` and `--output-dir` write each manifest to a file named like the one that it was \
         read from. Standard input, URLs and kustomizations have no such file: use `-o FILE`.";
    OUTPUT_CONFLICT = "output-conflict", Usage,
        "Two things would be written to the same file.",
        "Two manifests, or two flags, name the same file. Choose different files.";
    OUTPUT_EXISTS = "output-exists", Usage,
        "A file would be overwritten that ko-rs did not write.",
        "Files of images are only written over files that contain nothing else, and never over a \
         manifest that is read in the same run.";
    OUTPUT_IS_FOLDER = "output-is-folder", Usage,
        "A file cannot be written because a folder has its name.",
        "Choose another file, or remove the folder.";
    OUTPUT_NOT_WRITTEN = "output-not-written", Failure,
        "A file of the result cannot be written.",
        "The folder cannot be created or written, or the disk is full. The cause names the reason.";
    LOGIN_INCOMPLETE = "login-incomplete", Usage,
        "`ko-rs login` was not given a user name or a password.",
        "Without a terminal there is nobody to ask: pass `--username` and `--password-stdin`.";
    INVALID_REGISTRY = "invalid-registry", Usage,
        "The registry to log in to is not a valid name.",
        "A registry is a host with an optional port, as in `ghcr.io` or `localhost:5000`, and an optional path.";
    PASSWORD_ON_COMMAND_LINE = "password-on-command-line", Warning,
        "A password was given on the command line.",
        "Other users of the machine can read the arguments of processes. Use `--password-stdin`.";
    UNWATCHABLE = "unwatchable", Usage,
        "Manifests from standard input cannot be watched for changes.",
        "`ko-rs dev` reads manifests again when they change, and standard input can be read only once.";
    NOT_CONFIRMED = "not-confirmed", Usage,
        "Objects would be deleted that hold more than themselves, and nobody can be asked.",
        "`ko-rs down --everything` deletes namespaces, volumes, claims and custom resource definitions \
         that `ko-rs dev` created. It asks before, which needs a terminal; `--yes` answers.";
    COMMAND_NOT_RUN = "command-not-run", Failure,
        "The command after `--` of `ko-rs dev --once` cannot be run.",
        "The program does not exist or is not executable. Everything was deployed and is ready.";
    CACHE_NOT_CLEANED = "cache-not-cleaned", Failure,
        "The cache cannot be cleaned.",
        "A file of the cache cannot be removed. The cause names the file and the reason.";
}
