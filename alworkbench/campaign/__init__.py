"""What a running project knows honestly about itself, without an oracle.

audit           an audit set drawn at random in the labelling flow
lure            accuracy from labels that a strategy drew, corrected by its probabilities
counterfactual  what simpler strategies would have asked among the labels that were collected
watch           how a learner stands on a fixed sample of the pool, recorded when it is made
stopping        rules that say whether to go on, and `forecast`, how many labels are still needed
past_error      how often those rules were wrong in simulations
replay          the record of a campaign, asked again
"""
