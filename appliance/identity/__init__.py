"""Who owns this appliance, who may submit to it, and how does either prove it?"""
