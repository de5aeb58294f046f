package check

func norms() []Case { return nil }
