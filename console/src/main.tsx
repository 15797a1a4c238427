import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import '@fontsource-variable/inter/wght.css'
import './styles/tokens.css'
import './styles/frame.css'
import './styles/charts.css'
import './styles/tables.css'
import './styles/traces.css'
import './styles/gateway.css'
import './styles/events.css'
import { App } from './shell/app.tsx'
import { connect } from './store/live.ts'

const root = document.querySelector('#root')
if (root === null) throw new Error('the page has no #root')

createRoot(root).render(
  <StrictMode>
    <App />
  </StrictMode>,
)
void connect()
