/** `kubectl coredump completion`: scripts for shells. */
import type { CommandModule } from "yargs";
import type { Parsed } from "../commands/flags.ts";
import { print } from "../output/print.ts";

/** Each asks `kubectl_complete-coredump` with all words up to the cursor; its last line begins with a colon. */
const SCRIPTS = {
  bash: `_kubectl_coredump() {
  local IFS=$'\\n'
  local answer=$(kubectl_complete-coredump "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
  COMPREPLY=($(printf '%s\\n' "$answer" | sed '$d'))
  [ "\${answer##*$'\\n'}" != ":0" ] || compopt -o default
}
complete -F _kubectl_coredump kubectl-coredump
`,
  zsh: `#compdef kubectl-coredump
_kubectl_coredump() {
  local -a answer
  answer=("\${(@f)$(kubectl_complete-coredump "\${words[@]:1:$((CURRENT - 1))}" 2>/dev/null)}")
  [[ \${answer[-1]} != ":0" ]] || _files
  compadd -- "\${answer[@]:0:-1}"
}
compdef _kubectl_coredump kubectl-coredump
`,
  fish: `function __kubectl_coredump
  set -l words (commandline -opc) (commandline -ct)
  kubectl_complete-coredump $words[2..-1] 2>/dev/null | string match -rv '^:'
end
complete -c kubectl-coredump -f -a '(__kubectl_coredump)'
`,
} as const;

export const command: CommandModule<object, Parsed> = {
  command: "completion <shell>",
  describe: "print a completion script for kubectl-coredump (kubectl itself needs none)",
  builder: (yargs) =>
    yargs.positional("shell", { choices: Object.keys(SCRIPTS), demandOption: true, describe: "the shell" }),
  handler: async (argv) => print(SCRIPTS[argv["shell"] as keyof typeof SCRIPTS]),
};
