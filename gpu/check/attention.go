package check

func attentions() []Case { return nil }
