import type { Verdict } from './rule.ts'

type ImageRule = (lines: readonly string[]) => Verdict

/** Rules about a Dockerfile, by name. `lines` are its instructions, without comments. */
export const IMAGE_RULES: Readonly<Record<string, ImageRule>> = {
  'base says which version': (lines) => {
    const bases = lines.flatMap((line) => /^(?:FROM|ARG NODE_IMAGE=)\s*(\S+)/.exec(line)?.[1] ?? [])
    const floating = bases.filter((base) => !base.startsWith('$') && (!/[:@]/.test(base) || base.endsWith(':latest')))
    return floating.length > 0 && `${floating.join(', ')} may change under the same name`
  },

  'installs apart from what runs': (lines) =>
    lines.filter((line) => line.startsWith('FROM ')).length < 2 &&
    'one stage keeps caches of the installation in the image',

  'runs as a numbered user': (lines) => {
    const last = lines.findLastIndex((line) => line.startsWith('FROM '))
    const user = lines.slice(last).findLast((line) => line.startsWith('USER '))
    return !/^USER [1-9]\d*(:\d+)?$/.test(user ?? '') && 'end with USER and a number above 0: a name may be root'
  },

  'gets signals itself': (lines) => {
    const entry = lines.findLast((line) => /^(ENTRYPOINT|CMD) /.test(line)) ?? ''
    return !/^(ENTRYPOINT|CMD) \[/.test(entry) && 'use the exec form: a shell in between swallows SIGTERM'
  },

  'installs what the lock file says': (lines) => {
    const installs = lines.filter((line) => /^RUN .*npm (ci|install|i)\b/.test(line))
    return !installs.some((line) => /npm ci\b/.test(line)) && 'install with npm ci'
  },

  'copies rather than adds': (lines) =>
    lines.some((line) => line.startsWith('ADD ')) && 'ADD also downloads and unpacks',

  'holds no secret': (lines) => {
    const told = lines.filter((line) => /^(ENV|ARG) \w*(PASSWORD|TOKEN|SECRET|DATABASE_URLS)\w*=\S/.test(line))
    return told.length > 0 && `${told.length} instruction(s) put a secret into the image`
  },
}

/** Instructions of a Dockerfile, those over several lines as one. */
export function instructionsOf(text: string): readonly string[] {
  return text
    .replace(/\\\n/g, ' ')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
}
