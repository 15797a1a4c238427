import { describeOptions } from '../runtime/index.ts'

/** Every variable of the environment with its default and meaning, for the help of `start`. */
export function environmentLines(): readonly string[] {
  const variables = [
    ...describeOptions(),
    {
      name: '<NAME>_URL',
      defaultValue: 'http://<name>:8080',
      text: 'Where a service runs that is not in this process, e.g. ORDER_SERVICE_URL.',
    },
  ]
  const width = Math.max(...variables.map(({ name }) => name.length))
  return [
    'Environment:',
    ...variables.map(({ name, defaultValue, text }) => {
      return `  ${name.padEnd(width)}  ${text}${defaultValue === '' ? '' : ` (default: ${defaultValue})`}`
    }),
  ]
}
