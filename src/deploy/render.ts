import type { App } from '../core/index.ts'
import { renderCompose } from './compose/render.ts'
import { renderKubernetes } from './kubernetes/render.ts'
import type { RenderOptions } from './options.ts'
import type { RenderedFile } from './rendered-file.ts'

/** Where an application is to run as a fleet. */
export type Target = 'kubernetes' | 'compose'

/**
 * The files that run an application as a fleet. Pure: the same application and options give the same bytes, and nothing
 * is read or written. Throws DEPLOY_NAME_UNUSABLE.
 */
export function render(app: App, target: Target, options: RenderOptions): readonly RenderedFile[] {
  return target === 'kubernetes' ? renderKubernetes(app, options) : renderCompose(app, options)
}
