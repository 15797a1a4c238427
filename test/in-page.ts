/**
 * Functions that the tests of the console run inside the page. Each is sent there as text, so it knows nothing from
 * outside of itself; what it uses of a browser is declared here, since nothing else in these folders runs in one.
 */
declare const document: { readonly documentElement: { readonly scrollWidth: number } }
declare function getComputedStyle(element: unknown): {
  readonly fill: string
  readonly transform: string
  getPropertyValue(name: string): string
}

type Canvas = {
  readonly width: number
  readonly height: number
  toDataURL(): string
  getContext(kind: '2d'): { getImageData(...box: readonly number[]): { readonly data: Uint8ClampedArray } }
}

export function widthOfPage(): number {
  return document.documentElement.scrollWidth
}

export function fillOf(element: unknown): string {
  return getComputedStyle(element).fill
}

export function transformOf(element: unknown): string {
  return getComputedStyle(element).transform
}

/** Colours of the style sheet by their names. */
export function themeColours(names: readonly string[]): readonly string[] {
  const style = getComputedStyle(document.documentElement)
  return names.map((name) => style.getPropertyValue(`--${name}`).trim())
}

export function picture(canvas: Canvas): string {
  return canvas.toDataURL()
}

export function coloursOf(canvas: Canvas): readonly string[] {
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height)
  const found = new Set<string>()
  for (let at = 0; at < data.length; at += 4) found.add(`rgb(${data[at]}, ${data[at + 1]}, ${data[at + 2]})`)
  return [...found]
}

/** How far from the top, as a share of the height, the blue of the line begins. */
export function topmostInk(canvas: Canvas): number {
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height)
  for (let at = 0; at < data.length; at += 4) {
    const [red = 0, green = 0, blue = 0, alpha = 0] = data.slice(at, at + 4)
    if (alpha > 200 && blue > 150 && blue - red > 90 && blue - green > 60) return at / 4 / canvas.width / canvas.height
  }
  return 1
}

/** Contrast of each colour of text on each ground it stands on (WCAG 2.2, relative luminance). */
export function contrasts(): Readonly<Record<string, number>> {
  const style = getComputedStyle(document.documentElement)
  const luminance = (name: string) => {
    const hex = style.getPropertyValue(`--${name}`).trim()
    const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
      const part = Number.parseInt(hex.slice(at, at + 2), 16) / 255
      return part <= 0.040_45 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
    })
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
  }
  const ratios: Record<string, number> = {}
  for (const ground of ['ground', 'panel', 'raised']) {
    for (const ink of ['ink', 'ink-2', 'muted', 'accent', 'red', 'orange-ink']) {
      const [low = 0, high = 0] = [luminance(ink), luminance(ground)].sort((one, other) => one - other)
      ratios[`${ink} on ${ground}`] = Math.round(((high + 0.05) / (low + 0.05)) * 100) / 100
    }
  }
  return ratios
}
