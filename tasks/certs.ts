/**
 * Chooses the authority of all shared platform certificates: one line of clusters/home/platform-settings.yaml.
 * Usage: make platform-certs-staging | platform-certs-prod [DRY_RUN=1]
 */
import { platformCerts, switchMode } from './lib/modes.ts'
import { runTask } from './lib/task.ts'

await runTask(async () => switchMode(platformCerts, process.argv.slice(2)))
