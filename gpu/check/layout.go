package check

func layouts() []Case { return nil }
