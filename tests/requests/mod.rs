mod generations;
