"""The steps from find to proof, as plain functions: the one entrance of the command line and the wizard."""
