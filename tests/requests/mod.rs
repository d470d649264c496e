mod generations;
mod storage;
