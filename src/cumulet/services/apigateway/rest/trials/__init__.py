"""TestInvokeMethod and TestInvokeAuthorizer."""
