import { loadApp, openData, type SagaView, viewSaga } from '../runtime/index.ts'
import { cliError } from './errors.ts'
import { print, printJson, table } from './output.ts'

/** `groundswell events saga`: where one saga stands, and what it heard. */
export async function showSaga(
  path: string,
  { saga: name, id, json }: { readonly saga: string; readonly id: string; readonly json: boolean },
): Promise<number> {
  const app = await loadApp(path)
  const sagas = app.services.flatMap((service) => service.sagas ?? [])
  const declared = sagas.find((one) => one.name === name)
  if (declared === undefined) {
    const known = sagas.length === 0 ? 'it has none' : `there is: ${sagas.map((one) => one.name).join(', ')}`
    throw cliError('CLI_SAGA_UNKNOWN', `the application has no saga "${name}"; ${known}`)
  }
  const { cluster, close } = await openData(process.env)
  try {
    const view = await viewSaga(cluster, declared, id)
    if (view === undefined) throw cliError('CLI_SAGA_UNKNOWN', `there is no ${name} ${id}`)
    if (json) printJson(view)
    else print(pageOf(view))
    return 0
  } finally {
    await close()
  }
}

function pageOf({ saga, id, status, actions, journal }: SagaView): string {
  const states = table(
    ['ACTION', 'STATE'],
    actions.map(({ name, state }) => [name, state]),
  )
  const heard = table(
    ['AT', 'ACTION', 'HEARD'],
    journal.map(({ at, action, outcome }) => [at, action, outcome]),
  )
  return [`${saga} ${id}  ${status}`, states, heard].join('\n\n')
}
