"""Reality as a Service: the appliance around one physical robot."""
