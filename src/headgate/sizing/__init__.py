"""What a load needs: a formula over measured figures, and a simulation that checks its answer."""
