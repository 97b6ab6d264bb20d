extension ConnectionConfiguration {
    /// How long a call of the current task waits for its answer.
    var timeoutOfCall: Duration { CallTimeout.current ?? callTimeout }

    /// How long a publish of the current task waits.
    var timeoutOfPublish: Duration { CallTimeout.current ?? publishTimeout }
}
