import { useState } from 'react'
import { setParameters, useAddress } from '../store/router.ts'

/** The words that rows of the view must have, kept in the address. The `/` key finds it by its id. */
export function Filter({ id, placeholder }: { readonly id: string; readonly placeholder: string }) {
  const { filter = '' } = useAddress().parameters
  const [text, setText] = useState(filter)
  return (
    <input
      id={id}
      type="search"
      className="filter"
      placeholder={placeholder}
      aria-label="Filter"
      value={text}
      onChange={(event) => {
        setText(event.target.value)
        setParameters({ filter: event.target.value })
      }}
    />
  )
}
