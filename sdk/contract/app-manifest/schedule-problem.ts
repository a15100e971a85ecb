/** Why a schedule cannot be understood, completing "the schedule …". Caught by readCronSchedule, which alone lets it out as text. */
export class ScheduleProblem extends Error {}
