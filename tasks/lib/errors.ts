/** Process exit code of a task that tried and did not reach its goal. */
export const EXIT_FAILED = 1
/** Process exit code of a task that refused before it touched anything. */
export const EXIT_REFUSED = 2

/** The parts of the house's error form below its first line; each may hold several lines. */
export interface ErrorDetails {
  /** Object, file or command at fault, e.g. `Kustomization/flux-system/tenants · clusters/home/tenants.yaml`. */
  where?: string | undefined
  /** The controller's or tool's own words. */
  why?: string | undefined
  /** What to do next, ending in a command to paste. */
  fix?: string | undefined
}

/** An error the user can act on. Every other error that reaches the top of a task is a bug and says so. */
export class TaskError extends Error {
  readonly details: ErrorDetails
  readonly exitCode: number

  constructor(what: string, details: ErrorDetails, exitCode: number) {
    super(what)
    this.name = 'TaskError'
    this.details = details
    this.exitCode = exitCode
  }
}

/** @returns the error for work that was tried and did not succeed (exit 1); throw it. */
export function failure(what: string, details: ErrorDetails = {}): TaskError {
  return new TaskError(what, details, EXIT_FAILED)
}

/** @returns the error for a request that is refused with nothing touched (exit 2); throw it. */
export function refusal(what: string, details: ErrorDetails = {}): TaskError {
  return new TaskError(what, details, EXIT_REFUSED)
}

/** @returns the message of anything that can be thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** @returns true for a Node system error with this code, e.g. `ENOENT`. */
export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}

/** How many causes of one kind an error names. */
export const FEW = 10

/** @param options.of how many there are, where `lines` has not all of them. @returns the first of them, ten unless told, and the number of the others */
export function firstFew(lines: readonly string[], { shown = FEW, of = lines.length }: { shown?: number, of?: number } = {}): string[] {
  return [...lines.slice(0, shown), ...(of > shown ? [`and ${of - shown} more`] : [])]
}
