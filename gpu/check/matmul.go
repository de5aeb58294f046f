package check

func products() []Case { return nil }
