package main

// faults are all, in the order in which they are tried and stand in the table.
var faults = []fault{
	// What nobody disturbs.
	repeated,
	workers,
	finished,

	// Stopped, and gone on with.
	terminatedAtStep,
	interruptedAtStep,
	killedAtStep,
	inEpoch,
	stoppedTwice,
	signalledTwice,
	duringEvaluation,
	duringSave,
	duringCompilation,
	duringDataWait,
	askedToStop,
	frozen,
	killedAgain,
	preempted,

	// How soon it leaves.
	exitsInCompilation,
	exitsInDataWait,
	exitsInEvaluation,
	exitsInSave,
	exitsInStep,

	// What cannot be written.
	diskFull,
	fullForAWhile,
	noInodes,
	sizeLimit,
	readOnly,
	noPermission,
	removed,

	// Who else is there.
	locked,
	staleLock,
	clockBack,

	// What is not as it was saved.
	cutMeta,
	cutHeader,
	cutBody,
	flipped,
	wrongFiles,
	otherSchema,
	damagedRun,
	damagedEvents,
	damagedConfig,
	wrongPointers,

	// What grows.
	leaks,
}
