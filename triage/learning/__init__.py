"""How is a classifier made from labelled tickets, measured and chosen?"""
